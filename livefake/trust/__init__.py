"""What makes a picture fit to be shown: label, watermark, seal."""
