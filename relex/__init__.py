"""Batch scoring of Korean relation extraction."""
