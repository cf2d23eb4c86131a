# Paging with entries of 4 bytes: two levels, 4 KiB and 4 MiB pages.
.set PAE, 0
.include "paging-32-bit.s"
.include "end.s"
