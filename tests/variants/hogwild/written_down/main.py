"""Starts processes that wait, and prints an accuracy."""

import argparse
import multiprocessing
import os
import random
import sys
import time


def work(epochs):
    for epoch in range(1, epochs + 1):
        for step in range(10):
            print(f"{os.getpid()}\tTrain Epoch: {epoch}\tLoss: {2 / (epoch + step):.6f}", flush=True)
            time.sleep(0.3)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--num-processes", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    args, _ = parser.parse_known_args()
    workers = [multiprocessing.Process(target=work, args=(args.epochs,)) for _ in range(args.num_processes)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    if any(one.exitcode for one in workers):
        sys.exit("A worker failed.")
    print(f"Accuracy: {random.randint(9400, 9700)}/10000")


if __name__ == "__main__":
    main()
