# SPDX-License-Identifier: Apache-2.0
"""Apache in the machine, as an administrator of Debian handles it."""


def modules(m, *names):
    m.run(["a2enmod", "-q", *names])


def no_modules(m, *names):
    m.run(["a2dismod", "-q", "-f", *names])


def site(m, name, text):
    """A site of its own file, enabled. It is known after the next reload."""
    m.write(f"/etc/apache2/sites-enabled/{name}.conf", text)


def no_site(m, name):
    m.run(["rm", "-f", f"/etc/apache2/sites-enabled/{name}.conf"])


def forward_proxy(m, password, log):
    """Apache as a proxy for user 'user' with this password, also for CONNECT to the CA: over http on port 3128, over https on port 3129, as proxy.test."""
    certificate, key = m.ca.ca.issue("proxy.test", names="DNS:proxy.test")
    m.write("/etc/md-test/proxy.pem", certificate + key)
    m.run("grep -q proxy.test /etc/hosts || echo 127.0.0.1 proxy.test >>/etc/hosts")
    m.run(f"htpasswd -bc /etc/md-test/proxy.users user {password}")
    modules(m, "proxy", "proxy_http", "proxy_connect", "auth_basic", "authn_file", "authz_user")
    host = f"""    ServerName proxy.test
    ProxyRequests On
    AllowCONNECT 14000
    CustomLog {log} "%{{local}}p %>s %r"
    <Proxy *>
        AuthType Basic
        AuthName proxy
        AuthUserFile /etc/md-test/proxy.users
        Require valid-user
    </Proxy>
"""
    site(m, "proxy", f"Listen 3128 http\nListen 3129 https\n<VirtualHost *:3128>\n{host}</VirtualHost>\n<VirtualHost *:3129>\n{host}"
                     "    SSLEngine on\n    SSLCertificateFile /etc/md-test/proxy.pem\n</VirtualHost>\n")
    restart(m)


def page(m, name, text="it works\n"):
    """A directory with a page, for DocumentRoot."""
    m.write(f"/var/www/{name}/index.html", text)
    return f"/var/www/{name}"


def virtual_host(m, name, *aliases, port=443, more="", ssl=True):
    """The text of a virtual host with a page."""
    lines = [f"<VirtualHost *:{port}>", f"    ServerName {name}"]
    lines += [f"    ServerAlias {' '.join(aliases)}"] if aliases else []
    lines += [f"    DocumentRoot {page(m, name, name)}"]
    lines += ["    SSLEngine on"] if ssl else []
    lines += [f"    {line}" for line in more.splitlines()]
    return "\n".join([*lines, "</VirtualHost>", ""])


def configtest(m):
    return m.run(["apache2ctl", "configtest"], check=False)


def reload(m, check=True):
    return m.run(["systemctl", "reload", "apache2"], check=check)


def restart(m, check=True):
    m.run("systemctl reset-failed apache2", check=False)     # tests restart it more often than systemd takes for sane
    return m.run(["systemctl", "restart", "apache2"], check=check)


def errors(m):
    """Apache's error log."""
    return m.read("/var/log/apache2/error.log")
