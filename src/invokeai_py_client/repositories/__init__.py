"""The server's things by noun, each as an awaited class and its blocking face."""
