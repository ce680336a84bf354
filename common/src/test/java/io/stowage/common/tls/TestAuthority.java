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
package io.stowage.common.tls;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;

/**
 * Vouches for certificates, good and bad ones, and writes them as PEM files. The JDK has no public
 * class that makes certificates: these are put together byte by byte (RFC 5280).
 */
public final class TestAuthority {
  /** ecdsa-with-SHA256 */
  private static final byte[] ECDSA = sequence(oid("2A8648CE3D040302"));

  private static final Duration DAY = Duration.ofDays(1);

  private final String name;
  private final KeyPair keys;
  private final byte[] certificate;
  private final SecureRandom random = new SecureRandom();

  public TestAuthority(String name) throws GeneralSecurityException {
    this.name = name;
    this.keys = newKeys();
    Instant now = Instant.now();
    this.certificate =
        certificate(name, keys.getPublic(), now.minus(DAY), now.plus(DAY.multipliedBy(60)), true);
  }

  /** Files of a certificate and its key. */
  public record Pem(Path certificate, Path key) {}

  /** The authority's own certificate, for those who are to believe it. */
  public Path write(Path file) throws IOException {
    replace(file, pem("CERTIFICATE", certificate));
    return file;
  }

  /** A certificate for hosts (names or addresses) that is good today. */
  public Pem issue(Path directory, String name, String... hosts)
      throws IOException, GeneralSecurityException {
    Instant now = Instant.now();
    return issue(directory, name, now.minus(DAY), now.plus(DAY.multipliedBy(30)), hosts);
  }

  /** A certificate for a time. */
  public Pem issue(Path directory, String name, Instant from, Instant until, String... hosts)
      throws IOException, GeneralSecurityException {
    KeyPair own = newKeys();
    Pem pem = new Pem(directory.resolve(name + ".crt"), directory.resolve(name + ".key"));
    replace(pem.key, pem("PRIVATE KEY", own.getPrivate().getEncoded()));
    replace(
        pem.certificate,
        pem("CERTIFICATE", certificate(name, own.getPublic(), from, until, false, hosts))
            + pem("CERTIFICATE", certificate));
    return pem;
  }

  private static KeyPair newKeys() throws GeneralSecurityException {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    return generator.generateKeyPair();
  }

  private byte[] certificate(
      String subject,
      PublicKey key,
      Instant from,
      Instant until,
      boolean authority,
      String... hosts)
      throws GeneralSecurityException {
    byte[] extensions =
        authority
            // basicConstraints, critical: may sign others
            ? sequence(
                oid("551D13"),
                tagged(0x01, new byte[] {(byte) 0xff}),
                tagged(0x04, sequence(tagged(0x01, new byte[] {(byte) 0xff}))))
            // subjectAltName
            : sequence(oid("551D11"), tagged(0x04, sequence(alternativeNames(hosts))));
    byte[] signed =
        sequence(
            tagged(0xA0, tagged(0x02, new byte[] {2})), // version 3
            tagged(0x02, new BigInteger(64, random).toByteArray()),
            ECDSA,
            distinguished(name),
            sequence(time(from), time(until)),
            distinguished(subject),
            key.getEncoded(),
            tagged(0xA3, sequence(extensions)));
    return sequence(signed, ECDSA, tagged(0x03, new byte[] {0}, sign(keys.getPrivate(), signed)));
  }

  private static byte[] sign(PrivateKey key, byte[] bytes) throws GeneralSecurityException {
    Signature signature = Signature.getInstance("SHA256withECDSA");
    signature.initSign(key);
    signature.update(bytes);
    return signature.sign();
  }

  private static byte[][] alternativeNames(String... hosts) {
    byte[][] names = new byte[hosts.length][];
    for (int i = 0; i < hosts.length; i++) {
      names[i] =
          hosts[i].matches("[0-9.]+")
              ? tagged(0x87, address(hosts[i]))
              : tagged(0x82, hosts[i].getBytes(StandardCharsets.US_ASCII));
    }
    return names;
  }

  private static byte[] address(String literal) {
    try {
      return InetAddress.getByName(literal).getAddress();
    } catch (IOException e) {
      throw new IllegalArgumentException(literal, e);
    }
  }

  private static byte[] distinguished(String commonName) {
    return sequence(
        tagged(
            0x31,
            sequence(oid("550403"), tagged(0x0C, commonName.getBytes(StandardCharsets.UTF_8)))));
  }

  private static byte[] time(Instant instant) {
    return tagged(
        0x18,
        DateTimeFormatter.ofPattern("yyyyMMddHHmmss'Z'")
            .withZone(ZoneOffset.UTC)
            .format(instant)
            .getBytes(StandardCharsets.US_ASCII));
  }

  private static byte[] oid(String hex) {
    return tagged(0x06, HexFormat.of().parseHex(hex));
  }

  private static byte[] sequence(byte[]... parts) {
    return tagged(0x30, parts);
  }

  /** A value of ASN.1: tag, length, content. */
  private static byte[] tagged(int tag, byte[]... parts) {
    int length = 0;
    for (byte[] part : parts) {
      length += part.length;
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(tag);
    if (length < 0x80) {
      out.write(length);
    } else if (length < 0x100) { // the shortest form, else signatures do not match
      out.write(0x81);
      out.write(length);
    } else {
      out.write(0x82);
      out.write(length >> 8);
      out.write(length);
    }
    List.of(parts).forEach(out::writeBytes);
    return out.toByteArray();
  }

  private static String pem(String what, byte[] bytes) {
    return "-----BEGIN "
        + what
        + "-----\n"
        + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(bytes)
        + "\n-----END "
        + what
        + "-----\n";
  }

  private static void replace(Path file, String text) throws IOException {
    Path next = file.resolveSibling(file.getFileName() + ".next");
    Files.writeString(next, text);
    Files.move(next, file, StandardCopyOption.REPLACE_EXISTING);
  }
}
