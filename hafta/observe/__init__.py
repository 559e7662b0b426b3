"""What happened and what stands where: sources become states and intervals, which commands print.

All but `sources/` is without I/O and without a clock.
"""
