import socket


def test_a_busy_port_is_told_with_a_way_out(shutterless, colour_bundle):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        done = shutterless("serve", colour_bundle, "--port", busy.getsockname()[1])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "--port" in done.stderr


def test_an_unknown_kind_of_urls_lists_the_known_ones(shutterless, colour_bundle):
    done = shutterless("serve", colour_bundle, "--urls", "some")
    assert done.exit_code == 1
    assert "public, any, off" in done.stderr
