$| = 1;
print "waiting\n";
sleep 1 while 1;
