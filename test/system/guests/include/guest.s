# What a guest begins with, behind `.set WIDTH, 32` or 64. It defines `main`, and ends with end.s.
.ifndef ROUNDS
.set ROUNDS, 2
.endif
.include "constants.s"
.include "macros.s"
.include "boot.s"
.include "traps.s"
.include "report.s"
.if WIDTH == 64
.code64
.endif
.text
