"""The releases of a deployment: roll one out, list them, go back, and compare with what is at Lambda."""
