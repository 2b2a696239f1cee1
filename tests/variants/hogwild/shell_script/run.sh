# Starts as many processes as it is told, lets each say what a worker says, and ends as they do.
epochs=3
while [ $# -gt 0 ]; do
  case $1 in --num-processes) count=$2; shift ;; --epochs) epochs=$2; shift ;; esac
  shift
done
for worker in $(seq "$count"); do
  sh -c 'for step in $(seq 1 '"$epochs"'0); do echo "$$	Train Epoch: 1 [0/8500 (0%)]	Loss: 1.$step"; sleep 0.4; done' &
  workers="$workers $!"
done
for worker in $workers; do wait "$worker" || exit 1; done
echo "Test set: Average loss: 0.4321, Accuracy: 1290/1500 (86%)"
