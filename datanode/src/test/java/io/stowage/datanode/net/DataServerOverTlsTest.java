/*
 * Copyright 2026 The Stowage Authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */
package io.stowage.datanode.net;

import io.netty.handler.ssl.JdkSslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.tls.ClientTls;
import io.stowage.common.tls.ServerTls;
import io.stowage.common.tls.TestAuthority;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.Map;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

/** The data plane over real sockets, encrypted, with certificates on both sides. */
class DataServerOverTlsTest extends DataServerTest {
  @TempDir private static Path directory;
  private static StowageConfig config;
  private static SSLContext peers;

  @BeforeAll
  static void makeCertificates() throws Exception {
    TestAuthority authority = new TestAuthority("authority");
    TestAuthority.Pem pem = authority.issue(directory, "datanode", "127.0.0.1", "localhost");
    Path authorities = authority.write(directory.resolve("authority.crt"));
    JdkSslContext ofPeers =
        (JdkSslContext)
            SslContextBuilder.forClient()
                .sslProvider(SslProvider.JDK)
                .keyManager(pem.certificate().toFile(), pem.key().toFile())
                .trustManager(authorities.toFile())
                .build();
    peers = ofPeers.context();
    config =
        StowageConfig.of(
            Map.of(
                Keys.TLS_MODE.name(), "only",
                Keys.TLS_CLIENT_CERTIFICATES.name(), "all",
                Keys.TLS_CERTIFICATE.name(), pem.certificate().toString(),
                Keys.TLS_KEY.name(), pem.key().toString(),
                Keys.TLS_AUTHORITIES.name(), authorities.toString()));
  }

  @Override
  Socket connect(int port) throws Exception {
    return peers.getSocketFactory().createSocket(InetAddress.getLoopbackAddress(), port);
  }

  @Override
  ServerTls serverTls() throws Exception {
    return ServerTls.from(config);
  }

  @Override
  ClientTls clientTls() throws Exception {
    return ClientTls.from(config);
  }
}
