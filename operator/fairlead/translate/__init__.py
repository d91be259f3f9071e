"""Resources to IR: references, names, regions, residency, ladders. Problems become reports, never exceptions."""
