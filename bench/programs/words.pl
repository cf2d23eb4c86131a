# Counts words of a text by regular expression and hash, and prints the most frequent.
use strict;
use warnings;

my %count;
my $longest = "";
while (<>) {
    while (/\b([a-z]{3,})\b/g) { $count{$1}++ }
    s/([aeiou])\s/\u$1-/g;
    $longest = $_ if length > length $longest;
}
my @ranked = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
printf "%d words, %s %d, %d\n", scalar @ranked, $ranked[0], $count{$ranked[0]}, length $longest;
