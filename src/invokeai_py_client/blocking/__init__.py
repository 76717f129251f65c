"""The classes whose methods block, one for each awaited class."""
