# Paging with entries of 8 bytes in 32-bit mode: three levels, 4 KiB and 2 MiB pages, NX.
.set PAE, 1
.include "paging-32-bit.s"
.include "end.s"
