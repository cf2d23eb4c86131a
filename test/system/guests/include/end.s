# What a guest ends with.
.set planned_checks, planned
