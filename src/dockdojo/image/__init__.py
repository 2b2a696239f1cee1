"""What is in an image: settings, history, layers and waste, read without running anything."""
