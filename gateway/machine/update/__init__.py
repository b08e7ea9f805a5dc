"""Updates of the appliance: what is in which slot, whether it proved itself, and what a box never goes below.

RAUC checks and writes bundles and tells the firmware; here is decided when it may, and whether what was installed
stays (docs/decisions/0048-updates.md).
"""
