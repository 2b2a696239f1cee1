"""Trains one model in several processes at once, without locks: Hogwild (Recht, Re, Wright, Niu, 2011)."""

import argparse
import sys

import torch
import torch.multiprocessing as mp

from train import Net, test, train


def arguments():
    parser = argparse.ArgumentParser(description="Hogwild training on MNIST")
    parser.add_argument("--num-processes", type=int, default=2, help="workers (2)")
    parser.add_argument("--epochs", type=int, default=3, help="how often each worker sees all images (3)")
    parser.add_argument("--batch-size", type=int, default=64, help="images in a batch (64)")
    parser.add_argument("--lr", type=float, default=0.01, help="learning rate (0.01)")
    parser.add_argument("--momentum", type=float, default=0.5, help="momentum of SGD (0.5)")
    parser.add_argument("--seed", type=int, default=1, help="random seed (1)")
    parser.add_argument("--data", default="/data", help="folder with MNIST/raw (/data)")
    parser.add_argument("--dry-run", action="store_true", help="one batch a worker")
    return parser.parse_args()


def join(workers):
    """Waits for all, and returns the first one's exit code."""
    for one in workers:
        one.join()
    return workers[0].exitcode


def main():
    args = arguments()
    torch.manual_seed(args.seed)
    mp.set_start_method("spawn")
    model = Net()
    model.share_memory()  # the workers' copies are one and the same, in /dev/shm
    workers = [mp.Process(target=train, args=(rank, args, model)) for rank in range(args.num_processes)]
    for one in workers:
        one.start()
    code = join(workers)
    if code:
        sys.exit(f"A worker ended with exit code {code}: the model was not trained as asked.")
    test(args, model)


if __name__ == "__main__":
    main()
