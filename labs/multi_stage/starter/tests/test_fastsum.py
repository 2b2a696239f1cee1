import unittest

import fastsum


class TestTotal(unittest.TestCase):
    def test_some_numbers(self):
        self.assertEqual(fastsum.total([1, 2, 3]), 6)

    def test_no_numbers(self):
        self.assertEqual(fastsum.total([]), 0)

    def test_large_numbers(self):
        self.assertEqual(fastsum.total(range(10**5)), 4999950000)


if __name__ == "__main__":
    unittest.main()
