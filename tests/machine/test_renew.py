# SPDX-License-Identifier: Apache-2.0
"""The whole way: from MDomain to live https, and on."""

import apache
import managed

SUITES = ["trixie", "bookworm", "testing"]


def setup(m):
    managed.install(m)


def test_first_certificate(m):
    """A new MDomain and one reload: https is served with the CA's certificate, without a second reload by hand."""
    cursor = m.cursor()
    managed.add(m, "example.org", "www.example.org")
    apache.reload(m)
    certificate = managed.wait_served(m, "example.org")
    assert sorted(certificate.names) == ["example.org", "www.example.org"], certificate
    status, _, body = m.https("example.org", roots=m.ca.root())
    assert status == 200 and body == b"example.org", (status, body)
    m.wait_journal("MD_NAME=example.org", "MD_EVENT=installed", after=cursor)
