"""Tenancy: business units, the API clients that act for them, and the access tokens they act with."""
