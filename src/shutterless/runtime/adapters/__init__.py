"""Lambda events and HTTP connections, each translated to requests of the service and back."""
