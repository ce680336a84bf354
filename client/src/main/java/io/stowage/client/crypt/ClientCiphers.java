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
package io.stowage.client.crypt;

import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.BucketEncryption;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.Encryption;
import io.stowage.common.proto.EncryptionMode;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.time.StoreClock;
import java.io.IOException;
import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.w3c.dom.Document;
import org.w3c.dom.NodeList;
import org.xml.sax.SAXException;

/**
 * Which cipher a client that is no gateway writes and reads with: by the bucket's default and by
 * the object's own envelope, under keys of the key service. Objects under keys of S3 clients
 * (SSE-C) stay closed to it. Thread-safe.
 */
public final class ClientCiphers {
  private final Envelopes envelopes;
  private final KeyNames names;

  public ClientCiphers(StowageConfig config, KeyService keys, StoreClock clock)
      throws StoreException {
    envelopes = new Envelopes(keys, clock);
    names =
        new KeyNames(
            config.get(Keys.ENCRYPTION_STORE_KEY), config.get(Keys.ENCRYPTION_DEFAULT_KEY));
  }

  /**
   * The cipher of a new object; null: the bucket keeps it as it is.
   *
   * @throws StoreException ACCESS_DENIED: the bucket wants it encrypted, and there is no key
   *     service here
   */
  public ObjectCipher forWrite(BucketInfo bucket) throws StoreException {
    if (!BucketEncryption.isDefault(bucket)) {
      return null;
    }
    Encryption byDefault =
        parse(bucket.getName(), bucket.getSettingsOrThrow(BucketEncryption.SETTING));
    requireKeys("write into bucket " + bucket.getName() + ": it encrypts by default");
    return byDefault.getMode() == EncryptionMode.SSE_KMS
        ? envelopes.withNamedKey(bucket.getId(), names.of(byDefault.getKeyId()), byDefault)
        : envelopes.withStoreKey(bucket.getId(), names.ofStore());
  }

  /** The cipher of an object; null: it is kept as it is. */
  public ObjectCipher forRead(long bucketId, ObjectVersion version) throws StoreException {
    if (!version.getMetadata().hasEncryption()) {
      return null;
    }
    Encryption envelope = version.getMetadata().getEncryption();
    if (envelope.getMode() == EncryptionMode.SSE_C) {
      throw new StoreException(
          ErrorCode.ACCESS_DENIED,
          "Cannot read " + version.getKey() + ": only who wrote it has its key (SSE-C)");
    }
    requireKeys("read " + version.getKey() + ": it is encrypted");
    return envelopes.open(bucketId, envelope, null);
  }

  private void requireKeys(String what) throws StoreException {
    if (!envelopes.hasKeyService()) {
      throw new StoreException(
          ErrorCode.ACCESS_DENIED,
          "Cannot "
              + what
              + ", and "
              + Keys.ENCRYPTION_KEY_PROVIDER.name()
              + " names no keys here");
    }
  }

  /** The gateway has checked the document. */
  private static Encryption parse(String bucket, ByteString document) throws StoreException {
    Document xml;
    try {
      DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
      factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
      factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
      xml = factory.newDocumentBuilder().parse(document.newInput());
    } catch (ParserConfigurationException | SAXException | IOException e) {
      throw new CorruptDataException(
          "Cannot read the default encryption of bucket " + bucket + ": " + e.getMessage());
    }
    boolean kms = "aws:kms".equals(text(xml, "SSEAlgorithm"));
    return Encryption.newBuilder()
        .setMode(kms ? EncryptionMode.SSE_KMS : EncryptionMode.SSE_S3)
        .setKeyId(text(xml, "KMSMasterKeyID"))
        .setBucketKey(kms && "true".equalsIgnoreCase(text(xml, "BucketKeyEnabled")))
        .build();
  }

  private static String text(Document xml, String element) {
    NodeList found = xml.getElementsByTagName(element);
    return found.getLength() == 0 ? "" : found.item(0).getTextContent().strip();
  }
}
