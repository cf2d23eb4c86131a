# Numbers as perl has them: formats, conversions, big numbers, packed bytes.
use strict;
use warnings;
use Math::BigInt;
use Math::BigFloat;
use Digest::SHA qw(sha256_hex sha512_hex);
use Digest::MD5 qw(md5_hex);
use MIME::Base64;
use POSIX qw(floor ceil fmod strtod ldexp frexp);
use List::Util qw(sum reduce);

my $state = 20221122;
sub next_number { return $state = ($state * 1103515245 + 12345) % 2147483648 }

for my $i (1 .. 60) {
  my $x = (next_number() - 1073741824) / (1 + next_number() % 100000) * 10**(next_number() % 40 - 20);
  printf "%.17g %e %a %g %.3f\n", $x, $x, $x, $x, fmod($x, 1e6);
  printf "  %.17g %.17g %.17g %.17g %.17g\n", sin($x), cos($x), atan2($x, 3), log(abs($x)), sqrt(abs($x));
  printf "  %.17g %.17g %d %d\n", exp(fmod($x, 300)), abs($x)**0.3, floor(fmod($x, 1e9)), ceil(fmod($x, 1e9));
  my ($mantissa, $exponent) = frexp($x);
  printf "  %s %d %s\n", unpack("H*", pack("d>", $mantissa)), $exponent, unpack("H*", pack("f>", ldexp($mantissa, 7)));
}

print 18446744073709551615 + 1, " ", 9223372036854775807 * 3, " ", -7 % 3, " ", 7 % -3, " ", 2**63, " ", ~0 >> 3, "\n";
print 0.1 + 0.2, " ", 1e308 * 10, " ", -1e308 * 10, " ", 9**9**9 - 9**9**9, " ", hex("1f"), "\n";
printf "%s\n", join ",", map { sprintf "%.0f", $_ } 0.5, 1.5, 2.5, 3.5, -0.5, -1.5, 1e15 + 0.5;
printf "%s %s\n", scalar strtod("1e-320"), scalar strtod("123456789012345678901234567890");

print Math::BigInt->new(300)->bfac(), "\n";
print Math::BigInt->new(3)->bmodpow(Math::BigInt->new("123456789012345678901234567890"), Math::BigInt->new("987654321098765432109876543211")), "\n";
print Math::BigFloat->new(2)->bsqrt(120), "\n";
print Math::BigFloat->bpi(100), "\n";

my $bytes = pack("C s S l L q Q n N v V f d w U", 200, -2, 65535, -3, 4294967295, -4, 18446744073709551615,
  258, 16909060, 258, 16909060, 3.14159, 2.718281828459045, 1234567, 0x263a);
print unpack("H*", $bytes), "\n", encode_base64($bytes);
my $text = join "", map { chr(32 + next_number() % 95) } 1 .. 20000;
print md5_hex($text), " ", sha256_hex($text), " ", sha512_hex($text), "\n";
my %count;
$count{$_}++ for split //, $text;
print join(" ", map { "$_$count{$_}" } sort keys %count), "\n";
my @words = $text =~ /(\w+)/g;
print scalar(@words), " ", (sort { length($b) <=> length($a) || $a cmp $b } @words)[0], "\n";
(my $swapped = $text) =~ s/(\d+)([a-z]+)/$2$1/gi;
print md5_hex($swapped), " ", sum(map { ord } split //, $swapped), " ", (reduce { ($a * 31 + ord $b) % 1000003 } 7, split //, $text), "\n";
