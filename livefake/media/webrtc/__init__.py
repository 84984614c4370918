"""WebRTC peers on aiortc, tuned for low delay."""
