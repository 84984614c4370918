/* A PipeWire camera fed through shared memory.
 *
 * camera MEMORY EVENT WIDTH HEIGHT RATE NAME
 *
 * MEMORY and EVENT are inherited file descriptors: the memory described by struct shared, and an eventfd that is
 * signalled after each picture. The program ends when its standard input ends. It prints "ready" once the camera
 * can be seen, and one line that says why when it cannot.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <pipewire/pipewire.h>
#include <spa/param/video/format-utils.h>

enum { SLOTS = 3, PAGE = 4096, TRIES = 3, LARGEST = 8192 };

/* Pictures are numbered from 1; number n lies in slot n % SLOTS. While a slot is being written its number is 0. */
struct shared {
    _Atomic uint64_t newest;
    _Atomic uint64_t number[SLOTS];
};

struct camera {
    struct pw_main_loop *loop;
    struct pw_stream *stream;
    struct spa_source *timer;
    struct shared *shared;
    const uint8_t *slots;
    size_t slot_size;
    uint32_t width, height, rate;
    enum spa_video_format format;
    uint64_t sequence;
    int event;
    bool streaming, triggered, told, failed;
};

static size_t picture_size(const struct camera *camera) {
    size_t pixels = (size_t)camera->width * camera->height;
    return camera->format == SPA_VIDEO_FORMAT_I420 ? pixels * 3 / 2 : pixels * 2;
}

/* Planar 4:2:0 to packed 4:2:2: each row of colour serves two rows of pixels. */
static void pack(const struct camera *camera, const uint8_t *from, uint8_t *to) {
    size_t width = camera->width, height = camera->height;
    const uint8_t *u = from + width * height, *v = u + width * height / 4;
    for (size_t row = 0; row < height; row++) {
        const uint8_t *luma = from + row * width;
        size_t chroma = row / 2 * (width / 2);
        for (size_t pair = 0; pair < width / 2; pair++) {
            *to++ = luma[2 * pair];
            *to++ = u[chroma + pair];
            *to++ = luma[2 * pair + 1];
            *to++ = v[chroma + pair];
        }
    }
}

/* The newest picture, whole; false where none could be had, because there is none or the writer was faster. */
static bool copy_newest(const struct camera *camera, uint8_t *to) {
    for (int attempt = 0; attempt < TRIES; attempt++) {
        uint64_t newest = atomic_load(&camera->shared->newest);
        if (newest == 0)
            return false;
        size_t slot = newest % SLOTS;
        if (atomic_load(&camera->shared->number[slot]) != newest)
            continue;
        const uint8_t *from = camera->slots + slot * camera->slot_size;
        if (camera->format == SPA_VIDEO_FORMAT_I420)
            memcpy(to, from, picture_size(camera));
        else
            pack(camera, from, to);
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load(&camera->shared->number[slot]) == newest)
            return true;
    }
    return false;
}

static void on_process(void *data) {
    struct camera *camera = data;
    struct pw_buffer *buffer = pw_stream_dequeue_buffer(camera->stream);
    if (buffer == NULL)
        return;
    struct spa_data *plane = &buffer->buffer->datas[0];
    size_t size = picture_size(camera);
    bool whole = plane->data != NULL && plane->maxsize >= size && copy_newest(camera, plane->data);
    plane->chunk->offset = 0;
    plane->chunk->size = whole ? size : 0;
    plane->chunk->stride = camera->format == SPA_VIDEO_FORMAT_I420 ? camera->width : camera->width * 2;
    struct spa_meta_header *header = spa_buffer_find_meta_data(buffer->buffer, SPA_META_Header, sizeof *header);
    if (header != NULL) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        header->pts = SPA_TIMESPEC_TO_NSEC(&now);
        header->flags = whole ? 0 : SPA_META_HEADER_FLAG_CORRUPTED;
        header->seq = camera->sequence++;
        header->dts_offset = 0;
    }
    pw_stream_queue_buffer(camera->stream, buffer);
}

static void on_param_changed(void *data, uint32_t id, const struct spa_pod *param) {
    struct camera *camera = data;
    if (param == NULL || id != SPA_PARAM_Format)
        return;
    struct spa_video_info_raw info;
    if (spa_format_video_raw_parse(param, &info) < 0)
        return;
    camera->format = info.format;
    int32_t size = (int32_t)picture_size(camera);
    int32_t stride = (int32_t)(info.format == SPA_VIDEO_FORMAT_I420 ? camera->width : camera->width * 2);
    uint8_t room[1024];
    struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(room, sizeof room);
    const struct spa_pod *params[2];
    params[0] = spa_pod_builder_add_object(
        &builder, SPA_TYPE_OBJECT_ParamBuffers, SPA_PARAM_Buffers,
        SPA_PARAM_BUFFERS_buffers, SPA_POD_CHOICE_RANGE_Int(4, 2, 8),
        SPA_PARAM_BUFFERS_blocks, SPA_POD_Int(1),
        SPA_PARAM_BUFFERS_size, SPA_POD_Int(size),
        SPA_PARAM_BUFFERS_stride, SPA_POD_Int(stride));
    params[1] = spa_pod_builder_add_object(
        &builder, SPA_TYPE_OBJECT_ParamMeta, SPA_PARAM_Meta,
        SPA_PARAM_META_type, SPA_POD_Id(SPA_META_Header),
        SPA_PARAM_META_size, SPA_POD_Int(sizeof(struct spa_meta_header)));
    pw_stream_update_params(camera->stream, params, 2);
}

static void on_state_changed(void *data, enum pw_stream_state old, enum pw_stream_state state, const char *error) {
    struct camera *camera = data;
    camera->streaming = state == PW_STREAM_STATE_STREAMING;
    if (state == PW_STREAM_STATE_ERROR || (state == PW_STREAM_STATE_UNCONNECTED && old != state)) {
        printf("%s\n", error != NULL ? error : "PipeWire ended the connection");
        camera->failed = true;
        pw_main_loop_quit(camera->loop);
    } else if (state == PW_STREAM_STATE_PAUSED && !camera->told) {
        camera->told = true;
        printf("ready\n");
    }
    fflush(stdout);
}

static void trigger(struct camera *camera) {
    if (camera->streaming)
        pw_stream_trigger_process(camera->stream);
}

static void on_picture(void *data, int fd, uint32_t mask) {
    struct camera *camera = data;
    uint64_t count;
    (void)mask;
    if (read(fd, &count, sizeof count) == sizeof count) {
        camera->triggered = true;
        trigger(camera);
    }
}

/* Repeats the newest picture where none came for a while: a program that looks at the camera must not wait. */
static void on_timer(void *data, uint64_t expirations) {
    struct camera *camera = data;
    (void)expirations;
    if (!camera->triggered)
        trigger(camera);
    camera->triggered = false;
}

static void on_input(void *data, int fd, uint32_t mask) {
    struct camera *camera = data;
    char unused[64];
    (void)mask;
    if (read(fd, unused, sizeof unused) <= 0)
        pw_main_loop_quit(camera->loop);
}

static const struct pw_stream_events events = {
    PW_VERSION_STREAM_EVENTS,
    .process = on_process,
    .param_changed = on_param_changed,
    .state_changed = on_state_changed,
};

static const struct spa_pod *format(const struct camera *camera, struct spa_pod_builder *builder,
                                    enum spa_video_format format) {
    return spa_pod_builder_add_object(
        builder, SPA_TYPE_OBJECT_Format, SPA_PARAM_EnumFormat,
        SPA_FORMAT_mediaType, SPA_POD_Id(SPA_MEDIA_TYPE_video),
        SPA_FORMAT_mediaSubtype, SPA_POD_Id(SPA_MEDIA_SUBTYPE_raw),
        SPA_FORMAT_VIDEO_format, SPA_POD_Id(format),
        SPA_FORMAT_VIDEO_size, SPA_POD_Rectangle(&SPA_RECTANGLE(camera->width, camera->height)),
        SPA_FORMAT_VIDEO_framerate, SPA_POD_Fraction(&SPA_FRACTION(camera->rate, 1)));
}

static bool map_memory(struct camera *camera, int memory) {
    camera->slot_size = ((size_t)camera->width * camera->height * 3 / 2 + PAGE - 1) / PAGE * PAGE;
    void *mapped = mmap(NULL, PAGE + SLOTS * camera->slot_size, PROT_READ, MAP_SHARED, memory, 0);
    if (mapped == MAP_FAILED)
        return false;
    camera->shared = mapped;
    camera->slots = (const uint8_t *)mapped + PAGE;
    return true;
}

int main(int argc, char **argv) {
    struct camera camera = {.format = SPA_VIDEO_FORMAT_YUY2};
    if (argc != 7) {
        printf("six arguments are needed\n");
        return 2;
    }
    camera.event = atoi(argv[2]);
    camera.width = (uint32_t)atoi(argv[3]);
    camera.height = (uint32_t)atoi(argv[4]);
    camera.rate = (uint32_t)atoi(argv[5]);
    if (camera.width < 2 || camera.width > LARGEST || camera.width % 2 || camera.height < 2 ||
        camera.height > LARGEST || camera.height % 2 || camera.rate < 1 || camera.rate > 240) {
        printf("the size or the rate is out of range\n");
        return 2;
    }
    if (!map_memory(&camera, atoi(argv[1]))) {
        printf("the memory cannot be mapped: %s\n", strerror(errno));
        return 2;
    }
    pw_init(NULL, NULL);
    camera.loop = pw_main_loop_new(NULL);
    struct pw_loop *loop = pw_main_loop_get_loop(camera.loop);
    camera.stream = pw_stream_new_simple(
        loop, argv[6],
        pw_properties_new(PW_KEY_MEDIA_CLASS, "Video/Source", PW_KEY_MEDIA_TYPE, "Video", PW_KEY_MEDIA_CATEGORY,
                          "Capture", PW_KEY_MEDIA_ROLE, "Camera", PW_KEY_NODE_NAME, argv[6], PW_KEY_NODE_DESCRIPTION,
                          argv[6], NULL),
        &events, &camera);
    if (camera.stream == NULL) {
        printf("PipeWire does not run for this user\n");
        return 3;
    }
    camera.timer = pw_loop_add_timer(loop, on_timer, &camera);
    struct timespec pause = {0, 100 * 1000 * 1000};
    pw_loop_update_timer(loop, camera.timer, &pause, &pause, false);
    pw_loop_add_io(loop, camera.event, SPA_IO_IN, false, on_picture, &camera);
    pw_loop_add_io(loop, STDIN_FILENO, SPA_IO_IN | SPA_IO_HUP, false, on_input, &camera);

    uint8_t room[1024];
    struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(room, sizeof room);
    const struct spa_pod *formats[2];
    formats[0] = format(&camera, &builder, SPA_VIDEO_FORMAT_YUY2);
    formats[1] = format(&camera, &builder, SPA_VIDEO_FORMAT_I420);
    if (pw_stream_connect(camera.stream, PW_DIRECTION_OUTPUT, PW_ID_ANY,
                          PW_STREAM_FLAG_DRIVER | PW_STREAM_FLAG_MAP_BUFFERS, formats, 2) < 0) {
        printf("PipeWire does not run for this user\n");
        return 3;
    }
    pw_main_loop_run(camera.loop);
    pw_stream_destroy(camera.stream);
    pw_main_loop_destroy(camera.loop);
    pw_deinit();
    return camera.failed ? 3 : 0;
}
