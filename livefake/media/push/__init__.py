"""Sending a session's encoded pictures and sound to another machine: RTMP, RTMPS and SRT.

FFmpeg's own network code is not used: PyAV opens outputs while it holds the interpreter, gives no time-outs to them and
checks no certificate, and its wheels come without SRT.
"""
