"""Finding faces: geometry, detection, landmarks, tracks."""
