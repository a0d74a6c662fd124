"""The published language between services: area codes and event schemas."""
