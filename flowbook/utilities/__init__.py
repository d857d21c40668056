"""Decorators and helpers, under the names of the reference API."""
