# The Autobahn Testsuite's fuzzing server, for Python 2.7, on loopback only:
#     server.py PORT FOLDER ws|wss
# The reports are written to FOLDER, and for wss a new certificate first, to
# FOLDER/cert.pem.

import functools
import io
import json
import os
import sys

from autobahn.twisted.websocket import listenWS
from autobahntestsuite import fuzzing, wstest
from autobahntestsuite.case import case12_x_x


def certificate(folder):
    from OpenSSL import crypto
    key = crypto.PKey()
    key.generate_key(crypto.TYPE_RSA, 2048)
    cert = crypto.X509()
    cert.set_version(2)
    cert.set_serial_number(int(os.urandom(8).encode('hex'), 16) >> 1)
    cert.get_subject().CN = 'autobahn'
    cert.set_issuer(cert.get_subject())
    cert.gmtime_adj_notBefore(-3600)
    cert.gmtime_adj_notAfter(24 * 3600)
    cert.set_pubkey(key)
    cert.add_extensions([
        crypto.X509Extension(b'basicConstraints', True, b'CA:FALSE'),
        crypto.X509Extension(b'subjectAltName', False, b'DNS:localhost,IP:127.0.0.1'),
    ])
    cert.sign(key, 'sha256')
    paths = [os.path.join(folder, name) for name in ('key.pem', 'cert.pem')]
    for path, text in zip(paths, [
            crypto.dump_privatekey(crypto.FILETYPE_PEM, key),
            crypto.dump_certificate(crypto.FILETYPE_PEM, cert)]):
        with io.open(path, 'wb') as out:
            out.write(text)
    return {'key': paths[0], 'cert': paths[1]}


# Two fifths of the server's time in the cases of compression would go into things
# that examine nothing: a slow SHA-1 where Python was built without OpenSSL, and
# decoding the same file for each message.

class Sha1(object):
    def __init__(self):
        self.hash = hashes.Hash(hashes.SHA1(), default_backend())
        self.update = self.hash.update
        self.digest = self.hash.finalize


class Hashlib(object):
    sha1 = Sha1


class TestData(str):
    text = None

    def decode(self, encoding):
        if self.text is None:
            self.text = str.decode(self, encoding)
        return self.text


def with_decoded_test_data(init):
    def wrapped(case):
        init(case)
        case.testData = TestData(case.testData)
    return wrapped


try:
    import _hashlib  # noqa: F401
except ImportError:
    import warnings
    # cryptography says that Python 2 is old.
    warnings.simplefilter('ignore')
    from cryptography.hazmat.backends import default_backend
    from cryptography.hazmat.primitives import hashes
    case12_x_x.hashlib = Hashlib
for case in case12_x_x.Case12_X_X + case12_x_x.Case13_X_X:
    case.init = with_decoded_test_data(case.__dict__['init'])

port, folder, scheme = sys.argv[1:]
spec = {
    'url': '%s://127.0.0.1:%s' % (scheme, port),
    'outdir': folder,
    'cases': ['*'],
    'exclude-cases': [],
    'exclude-agent-cases': {},
}
if scheme == 'wss':
    spec.update(certificate(folder))
path = os.path.join(folder, 'spec.json')
with io.open(path, 'wb') as out:
    out.write(json.dumps(spec))
# By itself it listens on all interfaces.
fuzzing.listenWS = functools.partial(listenWS, interface='127.0.0.1')
sys.argv = ['wstest', '-m', 'fuzzingserver', '-s', path, '-u', '0']
wstest.run()
