"""Rooms: processes that can see and use only what they are given."""
