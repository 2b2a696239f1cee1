from dockerlab import check, fail

@check(points=60, hints=("a hint",))
def test_greets(run):
    """Prints."""
    done = run()
    assert done.stdout == "Hello, world!\n", "Because."
    assert done.exit_code == 0

@check(points=40, needs=test_greets)
def test_host(host, container):
    """Has a passwd."""
    assert host.file("/etc/passwd").exists
    assert container.stop(1).exit_code == 0
