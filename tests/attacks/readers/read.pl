# Reads bodies with Perl's JSON::PP, as lenient as it can be made. See ../readers.py.
use strict;
use warnings;
use JSON::PP;
use MIME::Base64;

$| = 1;
my $json = JSON::PP->new->utf8->relaxed->allow_singlequote->allow_barekey->allow_nonref->loose->allow_bignum->max_depth(100000);

sub say_of {
    my ($value) = @_;
    return "null" if !defined $value;
    return $value ? "true" : "false" if JSON::PP::is_bool($value);
    if ( ref($value) =~ /^Math::Big/ ) {
        return $value->is_int && $value->copy->babs->bcmp("1000000000000000") < 0 ? "n" . $value->bstr : "n?";
    }
    return "?" if ref $value;
    my $written = JSON::PP->new->allow_nonref->encode($value);
    if ( $written =~ /^"/ ) {
        utf8::encode($value);
        return "s" . unpack( "H*", $value );
    }
    return abs($value) < 1e15 && $value == int($value) ? sprintf( "n%d", $value ) : "n?";
}

while ( my $line = <STDIN> ) {
    my $members = eval { $json->decode( decode_base64($line) ) };
    print ref $members eq "HASH"
        ? join( " ", map { exists $members->{$_} ? say_of( $members->{$_} ) : "-" } @ARGV ) . "\n"
        : "refused\n";
}
