"""The hop as a service of Wangge writes it, on the chassis."""
