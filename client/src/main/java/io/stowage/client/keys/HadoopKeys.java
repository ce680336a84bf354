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
package io.stowage.client.keys;

import io.stowage.client.crypt.DataKey;
import io.stowage.client.crypt.KeyService;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.GeneralSecurityException;
import java.security.NoSuchAlgorithmException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.crypto.key.KeyProvider;
import org.apache.hadoop.crypto.key.KeyProviderCryptoExtension;
import org.apache.hadoop.crypto.key.KeyProviderCryptoExtension.EncryptedKeyVersion;
import org.apache.hadoop.crypto.key.KeyProviderFactory;
import org.apache.hadoop.security.AccessControlException;
import org.apache.hadoop.security.ProviderUtils;
import org.apache.hadoop.security.authorize.AuthorizationException;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A Hadoop key provider as a key service: {@code kms://} is a Hadoop KMS, to which this process is
 * the user that it logged in as; {@code jceks://file/…} a keystore in a file of this machine, for
 * one gateway. Makes the keys of this store when they are not there, and no others: a key that a
 * client names and that is not there is that client's mistake. Thread-safe.
 */
public final class HadoopKeys implements KeyService {
  private static final Logger LOG = LoggerFactory.getLogger(HadoopKeys.class);
  private static final int KEY_BITS = 256;

  private final KeyProvider provider;
  private final KeyProviderCryptoExtension keys;
  private final URI uri;
  private final Set<String> own;
  private final Set<String> there = ConcurrentHashMap.newKeySet();

  private HadoopKeys(KeyProvider provider, URI uri, Set<String> own) {
    this.provider = provider;
    this.keys = KeyProviderCryptoExtension.createKeyProviderCryptoExtension(provider);
    this.uri = uri;
    this.own = own;
  }

  /**
   * The key service that the settings name. A keystore in a file is made if it is not there; a KMS
   * is not asked for anything yet.
   */
  public static KeyService open(StowageConfig config, Configuration hadoop) throws StoreException {
    return open(
        config,
        hadoop,
        Set.of(config.get(Keys.ENCRYPTION_STORE_KEY), config.get(Keys.ENCRYPTION_DEFAULT_KEY)));
  }

  /**
   * The same for who is no gateway: no key is made. A keystore that is not there, as on another
   * machine than the gateway's, is no key service: keys that were made in its place would be known
   * to nobody who reads.
   */
  public static KeyService openExisting(StowageConfig config, Configuration hadoop)
      throws StoreException {
    return open(config, hadoop, Set.of());
  }

  private static KeyService open(StowageConfig config, Configuration hadoop, Set<String> own)
      throws StoreException {
    String text = config.get(Keys.ENCRYPTION_KEY_PROVIDER);
    if (text.isEmpty()) {
      return KeyService.none();
    }
    String why = "no such kind of key provider";
    try {
      URI uri = URI.create(text);
      KeyProvider provider = KeyProviderFactory.get(uri, hadoop);
      if (provider != null) {
        HadoopKeys keys = new HadoopKeys(provider, uri, own);
        if (own.isEmpty() && keys.file() != null && !Files.exists(keys.file())) {
          keys.close();
          return KeyService.none();
        }
        if (keys.file() != null) {
          for (String name : own) {
            keys.makeIfMissing(name);
          }
        }
        return keys;
      }
    } catch (IllegalArgumentException | IOException e) {
      why = e.toString();
    }
    throw new StoreException(
        ErrorCode.BAD_CONFIGURATION,
        "Cannot use " + Keys.ENCRYPTION_KEY_PROVIDER.name() + " = '" + text + "': " + why);
  }

  /** The keystore's file; null if it is none of this machine. */
  private Path file() {
    if (!uri.getScheme().endsWith("jceks") && !uri.getScheme().endsWith("bcfks")) {
      return null;
    }
    URI nested = ProviderUtils.unnestUri(uri).toUri();
    boolean local = nested.getScheme() == null || nested.getScheme().equals("file");
    return local ? Path.of(nested.getPath()) : null;
  }

  private synchronized void makeIfMissing(String name) throws IOException {
    if (provider.getMetadata(name) != null) {
      there.add(name);
      return;
    }
    KeyProvider.Options options = new KeyProvider.Options(new Configuration(provider.getConf()));
    options.setBitLength(KEY_BITS);
    options.setDescription("Stowage: wraps the data keys of objects");
    try {
      provider.createKey(name, options);
    } catch (NoSuchAlgorithmException e) {
      throw new IOException(e);
    }
    provider.flush();
    Path file = file();
    if (file != null) {
      // What is encrypted under a key must not outlive it.
      force(file, StandardOpenOption.WRITE);
      force(file.toAbsolutePath().getParent(), StandardOpenOption.READ);
    }
    there.add(name);
    LOG.info("Key {} was made at {}", name, uri);
  }

  private static void force(Path path, StandardOpenOption how) throws IOException {
    if (Files.exists(path)) {
      try (FileChannel channel = FileChannel.open(path, how)) {
        channel.force(true);
      }
    }
  }

  /** Asked first, because a KMS's client goes on filling a queue for a key that is not there. */
  private void find(String keyName) throws IOException {
    if (own.contains(keyName)) {
      makeIfMissing(keyName);
    } else if (provider.getMetadata(keyName) != null) {
      there.add(keyName);
    } else {
      throw new StoreException(
          ErrorCode.NO_SUCH_ENCRYPTION_KEY, "Cannot use key " + keyName + ": there is none");
    }
  }

  @Override
  public NewKey generate(String keyName) throws StoreException {
    try {
      if (!there.contains(keyName)) {
        find(keyName);
      }
      EncryptedKeyVersion made = keys.generateEncryptedKey(keyName);
      return new NewKey(
          DataKey.of(keys.decryptEncryptedKey(made).getMaterial()),
          made.getEncryptionKeyVersionName(),
          ByteString.copyFrom(made.getEncryptedKeyIv()),
          ByteString.copyFrom(made.getEncryptedKeyVersion().getMaterial()));
    } catch (IOException | GeneralSecurityException | RuntimeException e) {
      throw told(keyName, null, e);
    }
  }

  @Override
  public DataKey unwrap(String keyName, String keyVersion, ByteString iv, ByteString wrapped)
      throws StoreException {
    try {
      EncryptedKeyVersion encrypted =
          EncryptedKeyVersion.createForDecryption(
              keyName, keyVersion, iv.toByteArray(), wrapped.toByteArray());
      return DataKey.of(keys.decryptEncryptedKey(encrypted).getMaterial());
    } catch (IOException | GeneralSecurityException | RuntimeException e) {
      throw told(keyName, keyVersion, e);
    }
  }

  /** A KMS's client wraps what it met while it filled its queue of new keys. */
  private static boolean isDenial(Throwable cause) {
    for (Throwable each = cause; each != null; each = each.getCause()) {
      if (each instanceof AccessControlException || each instanceof AuthorizationException) {
        return true;
      }
    }
    return false;
  }

  /** Providers throw what comes; whether the key is there is asked afterwards. */
  private StoreException told(String keyName, String keyVersion, Exception cause) {
    if (cause instanceof StoreException known) {
      return known;
    }
    ErrorCode code = ErrorCode.UNAVAILABLE;
    if (isDenial(cause)) {
      code = ErrorCode.ACCESS_DENIED;
    } else {
      try {
        Object found =
            keyVersion == null ? provider.getMetadata(keyName) : provider.getKeyVersion(keyVersion);
        if (found == null) {
          code = ErrorCode.NO_SUCH_ENCRYPTION_KEY;
        }
      } catch (IOException | RuntimeException e) {
        LOG.debug("Whether there is a key {} cannot be told: {}", keyName, e.toString());
      }
    }
    return new StoreException(
        code,
        code == ErrorCode.NO_SUCH_ENCRYPTION_KEY
            ? "Cannot use key " + keyName + ": there is none"
            : "Cannot use key " + keyName + ": " + cause,
        cause);
  }

  @Override
  public void close() {
    try {
      keys.close();
      provider.close();
    } catch (IOException e) {
      LOG.debug("The key provider {} did not close: {}", uri, e.toString());
    }
  }
}
