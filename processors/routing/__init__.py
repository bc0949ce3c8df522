"""Which served entity is called first, and which next."""
