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
package io.stowage.s3.operation;

import io.netty.util.NetUtil;
import io.stowage.client.crypt.CustomerKey;
import io.stowage.client.crypt.Envelopes;
import io.stowage.client.crypt.KeyNames;
import io.stowage.client.crypt.ObjectCipher;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.Encryption;
import io.stowage.common.proto.EncryptionMode;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.UploadInfo;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.setting.BucketSettings;
import io.stowage.s3.xml.XmlElement;
import java.net.InetAddress;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Decides with which cipher an operation writes or reads, by the request's headers and the bucket's
 * default, and tells the client of it. Thread-safe.
 *
 * <p>A bucket without a default keeps what it gets as it is: Stowage does not encrypt unasked, as
 * Amazon S3 does since 2023 (docs/format/encryption.md says why).
 */
public final class ObjectEncryption {
  /** Where a client may send a key of its own. */
  public enum Transport {
    TLS,
    LOOPBACK,
    ANY;

    /** By its name in the settings. */
    public static Transport named(String name) throws StoreException {
      for (Transport transport : values()) {
        if (transport.name().toLowerCase(Locale.ROOT).equals(name)) {
          return transport;
        }
      }
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot allow SSE-C over '" + name + "': expected tls, loopback or any");
    }
  }

  private final Envelopes envelopes;
  private final KeyNames names;
  private final Transport transport;

  public ObjectEncryption(Envelopes envelopes, KeyNames names, Transport transport) {
    this.envelopes = envelopes;
    this.names = names;
    this.transport = transport;
  }

  /** The cipher of a new object or upload; null: it is kept as it is. */
  ObjectCipher forWrite(S3Call call) throws S3Exception, StoreException {
    CustomerKey customer = customerKey(call, EncryptionHeaders.CUSTOMER);
    Encryption asked = EncryptionHeaders.asked(call.headers(), customer != null);
    if (customer != null) {
      requireUnblocked(call.bucket());
      return envelopes.withCustomerKey(call.bucket().getId(), customer);
    }
    if (asked.getMode() == EncryptionMode.ENCRYPTION_NONE) {
      asked = ofBucket(call);
    }
    long bucketId = call.bucket().getId();
    return switch (asked.getMode()) {
      case ENCRYPTION_NONE, SSE_C, UNRECOGNIZED -> null;
      case SSE_S3 -> {
        requireKeyService();
        yield envelopes.withStoreKey(bucketId, names.ofStore());
      }
      case SSE_KMS -> {
        requireKeyService();
        yield envelopes.withNamedKey(bucketId, names.of(asked.getKeyId()), asked);
      }
    };
  }

  private void requireKeyService() throws S3Exception {
    if (!envelopes.hasKeyService()) {
      throw new S3Exception(S3Error.NOT_IMPLEMENTED).with("Header", EncryptionHeaders.MODE);
    }
  }

  /** A bucket may say that nobody writes with keys of his own any more. */
  private static void requireUnblocked(BucketInfo bucket) throws S3Exception {
    for (XmlElement rule : rules(bucket)) {
      for (XmlElement blocked : rule.children("BlockedEncryptionTypes")) {
        for (XmlElement type : blocked.children("EncryptionType")) {
          if (type.text().equals("SSE-C")) {
            throw new S3Exception(
                S3Error.ACCESS_DENIED,
                "Server Side Encryption with Customer provided keys is blocked in this bucket");
          }
        }
      }
    }
  }

  private static List<XmlElement> rules(BucketInfo bucket) throws S3Exception {
    ByteString kept = bucket.getSettingsMap().get(BucketSettings.ENCRYPTION.name());
    return kept == null
        ? List.of()
        : XmlElement.parse(kept.toByteArray(), BucketSettings.ENCRYPTION.shape().name())
            .children("Rule");
  }

  /** What the bucket does with objects whose writer says nothing. */
  private static Encryption ofBucket(S3Call call) throws S3Exception {
    Encryption.Builder encryption = Encryption.newBuilder();
    for (XmlElement rule : rules(call.bucket())) {
      String bucketKey = call.header(EncryptionHeaders.BUCKET_KEY);
      if (bucketKey == null) {
        bucketKey = rule.childText("BucketKeyEnabled");
      }
      for (XmlElement by : rule.children("ApplyServerSideEncryptionByDefault")) {
        boolean kms = EncryptionHeaders.KMS.equals(by.childText("SSEAlgorithm"));
        encryption.setMode(kms ? EncryptionMode.SSE_KMS : EncryptionMode.SSE_S3);
        String keyId = by.childText("KMSMasterKeyID");
        if (keyId != null) {
          encryption.setKeyId(keyId);
        }
        encryption.setBucketKey(kms && "true".equalsIgnoreCase(bucketKey));
      }
    }
    return encryption.build();
  }

  /**
   * The cipher of a part: that of its upload; null: none. What a part's own headers say of modes
   * counts for nothing: some clients repeat what they began the upload with.
   */
  ObjectCipher forPart(S3Call call, UploadInfo upload) throws S3Exception, StoreException {
    CustomerKey customer = customerKey(call, EncryptionHeaders.CUSTOMER);
    ObjectMetadata metadata = upload.getMetadata();
    boolean ofCustomer = metadata.getEncryption().getMode() == EncryptionMode.SSE_C;
    if (ofCustomer && customer == null) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "The multipart upload initiate requested encryption. Subsequent part requests must"
              + " include the appropriate encryption parameters.");
    }
    if (!ofCustomer && customer != null) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "The multipart upload initiate did not request encryption. Please resend the request"
              + " without sending encryption parameters.");
    }
    if (!metadata.hasEncryption()) {
      return null;
    }
    try {
      return envelopes.open(call.bucket().getId(), metadata.getEncryption(), customer);
    } catch (StoreException e) {
      if (ofCustomer && e.code() == ErrorCode.ACCESS_DENIED) {
        throw new S3Exception(
            S3Error.INVALID_REQUEST,
            "The provided encryption parameters did not match the ones used originally.");
      }
      throw e;
    }
  }

  /** The cipher of an object whose bytes are asked for; null: it is kept as it is. */
  ObjectCipher toRead(S3Call call, ObjectVersion version) throws S3Exception, StoreException {
    EncryptionHeaders.refuseOfRead(call.headers());
    CustomerKey customer = customerKey(call, EncryptionHeaders.CUSTOMER);
    return open(call.bucket().getId(), version, customer);
  }

  /** The same of a copy's source, whose key has headers of its own. */
  ObjectCipher toCopy(S3Call call, long bucketId, ObjectVersion version)
      throws S3Exception, StoreException {
    CustomerKey customer = customerKey(call, EncryptionHeaders.COPY_SOURCE_CUSTOMER);
    return open(bucketId, version, customer);
  }

  /** What HEAD asks: the client's key must be right, no other is needed. */
  void checkToSee(S3Call call, ObjectVersion version) throws S3Exception, StoreException {
    EncryptionHeaders.refuseOfRead(call.headers());
    CustomerKey customer = customerKey(call, EncryptionHeaders.CUSTOMER);
    boolean ofCustomer = version.getMetadata().getEncryption().getMode() == EncryptionMode.SSE_C;
    if (ofCustomer || customer != null) {
      open(call.bucket().getId(), version, customer);
    }
  }

  private ObjectCipher open(long bucketId, ObjectVersion version, CustomerKey customer)
      throws S3Exception, StoreException {
    Encryption encryption = version.getMetadata().getEncryption();
    boolean ofCustomer = encryption.getMode() == EncryptionMode.SSE_C;
    if (ofCustomer && customer == null) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "The object was stored using a form of Server Side Encryption. The correct parameters"
              + " must be provided to retrieve the object.");
    }
    if (!ofCustomer && customer != null) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST, "The encryption parameters are not applicable to this object.");
    }
    return version.getMetadata().hasEncryption()
        ? envelopes.open(bucketId, encryption, customer)
        : null;
  }

  private CustomerKey customerKey(S3Call call, String prefix) throws S3Exception {
    CustomerKey customer = EncryptionHeaders.customerKey(call.headers(), prefix);
    if (customer != null && !isProtected(call)) {
      throw new S3Exception(
          S3Error.INVALID_REQUEST,
          "Requests specifying Server Side Encryption with Customer provided keys must be made over"
              + " a secure connection.");
    }
    return customer;
  }

  private boolean isProtected(S3Call call) {
    if (transport == Transport.ANY || call.isSecure()) {
      return true;
    }
    InetAddress peer = NetUtil.createInetAddressFromIpAddressString(call.remoteAddress());
    return transport == Transport.LOOPBACK && peer != null && peer.isLoopbackAddress();
  }

  /** Tells how an object or a part is encrypted. */
  static void describe(S3Call call, Encryption encryption, Response response) {
    describe(encryption, response);
    if (encryption.getMode() == EncryptionMode.SSE_C) {
      for (String name : List.of(EncryptionHeaders.ALGORITHM, EncryptionHeaders.KEY_MD5)) {
        String value = call.header(EncryptionHeaders.CUSTOMER + name);
        if (value != null) {
          response.header(EncryptionHeaders.CUSTOMER + name, value);
        }
      }
    }
  }

  /** The same where the request carries no key. */
  static void describe(Encryption encryption, Response response) {
    switch (encryption.getMode()) {
      case SSE_S3 -> response.header(EncryptionHeaders.MODE, EncryptionHeaders.AES256);
      case SSE_KMS -> {
        response.header(EncryptionHeaders.MODE, EncryptionHeaders.KMS);
        response.header(
            EncryptionHeaders.KEY_ID,
            encryption.getKeyId().isEmpty() ? encryption.getKeyName() : encryption.getKeyId());
        if (encryption.getBucketKey()) {
          response.header(EncryptionHeaders.BUCKET_KEY, "true");
        }
      }
      case ENCRYPTION_NONE, SSE_C, UNRECOGNIZED -> {}
    }
  }

  /** The encryption context, which the answers to writes repeat and those to reads do not. */
  static void describeContext(Encryption encryption, Response response) {
    if (!encryption.getContext().isEmpty()) {
      response.header(
          EncryptionHeaders.CONTEXT,
          Base64.getEncoder().encodeToString(encryption.getContext().toByteArray()));
    }
  }

  /** Whether a request says anything of encryption: a copy onto itself then changes something. */
  static boolean isAskedFor(S3Call call) {
    for (Map.Entry<String, String> header : call.headers()) {
      if (header.getKey().toLowerCase(Locale.ROOT).startsWith(EncryptionHeaders.MODE)) {
        return true;
      }
    }
    return false;
  }
}
