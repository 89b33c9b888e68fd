"""Faults, injected: killed processes, disks that fail, little memory, clocks that jump, and everybody at once."""
