# Starts a program as its child, passes the signal on, and ends with it.
my $child = fork // die;
exec @ARGV unless $child;
$SIG{TERM} = sub { kill "TERM", $child };
1 until waitpid($child, 0) == $child;
exit 0;
