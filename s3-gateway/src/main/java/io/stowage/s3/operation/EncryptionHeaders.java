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

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.netty.handler.codec.http.HttpHeaders;
import io.stowage.client.crypt.CustomerKey;
import io.stowage.client.crypt.DataKey;
import io.stowage.common.proto.Encryption;
import io.stowage.common.proto.EncryptionMode;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import java.io.IOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Base64;
import java.util.Map;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * The headers that speak of encryption, read and judged as Amazon S3 does. No error repeats a key.
 * Stateless.
 */
final class EncryptionHeaders {
  static final String MODE = "x-amz-server-side-encryption";
  static final String KEY_ID = MODE + "-aws-kms-key-id";
  static final String CONTEXT = MODE + "-context";
  static final String BUCKET_KEY = MODE + "-bucket-key-enabled";
  static final String CUSTOMER = MODE + "-customer-";
  static final String COPY_SOURCE_CUSTOMER = "x-amz-copy-source-server-side-encryption-customer-";
  static final String ALGORITHM = "algorithm";
  static final String KEY = "key";
  static final String KEY_MD5 = "key-MD5";
  static final String AES256 = "AES256";
  static final String KMS = "aws:kms";

  private static final int LONGEST_CONTEXT = 8192;
  private static final int LONGEST_KEY_ID = 2048;
  private static final ObjectMapper JSON = new ObjectMapper();

  private EncryptionHeaders() {}

  /** The key that a client sends along; null if it sends none. */
  static CustomerKey customerKey(HttpHeaders headers, String prefix) throws S3Exception {
    String algorithm = headers.get(prefix + ALGORITHM);
    String key = headers.get(prefix + KEY);
    String md5 = headers.get(prefix + KEY_MD5);
    if (algorithm == null && key == null && md5 == null) {
      return null;
    }
    if (algorithm == null) {
      throw wrong(
          prefix + ALGORITHM,
          "Requests specifying Server Side Encryption with Customer provided keys must provide a"
              + " valid encryption algorithm.");
    }
    if (!algorithm.equals(AES256)) {
      throw new S3Exception(S3Error.INVALID_ENCRYPTION_ALGORITHM)
          .with("ArgumentName", prefix + ALGORITHM)
          .with("ArgumentValue", algorithm);
    }
    byte[] bytes = key == null ? null : base64(key);
    if (bytes == null || bytes.length != CustomerKey.BYTES) {
      throw wrong(
          prefix + KEY,
          key == null
              ? "Requests specifying Server Side Encryption with Customer provided keys must"
                  + " provide an appropriate secret key."
              : "The secret key was invalid for the specified algorithm.");
    }
    if (md5 == null) {
      throw wrong(
          prefix + KEY_MD5,
          "Requests specifying Server Side Encryption with Customer provided keys must provide the"
              + " client calculated MD5 of the secret key.");
    }
    byte[] claimed = base64(md5);
    if (claimed == null || !MessageDigest.isEqual(claimed, md5(bytes))) {
      throw wrong(
          prefix + KEY_MD5,
          "The calculated MD5 hash of the key did not match the hash that was provided.");
    }
    CustomerKey customer = new CustomerKey(DataKey.of(bytes), ByteString.copyFrom(claimed));
    Arrays.fill(bytes, (byte) 0);
    return customer;
  }

  /**
   * What a write asks for beside a key of its own: mode, key id, context, bucket key. The default
   * instance if it asks for nothing.
   */
  static Encryption asked(HttpHeaders headers, boolean withCustomerKey) throws S3Exception {
    String mode = headers.get(MODE);
    String keyId = headers.get(KEY_ID);
    String context = headers.get(CONTEXT);
    String bucketKey = headers.get(BUCKET_KEY);
    if (mode != null && withCustomerKey) {
      throw wrong(
          MODE,
          "Server Side Encryption with Customer provided key is incompatible with the encryption"
              + " method specified");
    }
    if (mode != null && !mode.equals(AES256) && !mode.equals(KMS)) {
      if (mode.equals("aws:kms:dsse")) {
        throw new S3Exception(S3Error.NOT_IMPLEMENTED).with("Header", MODE);
      }
      throw wrong(MODE, "The encryption method specified is not supported");
    }
    boolean kms = KMS.equals(mode);
    if ((keyId != null || context != null) && !kms) {
      throw wrong(
          keyId != null ? KEY_ID : CONTEXT,
          "Server Side Encryption with AWS KMS managed key requires HTTP header "
              + MODE
              + " : aws:kms");
    }
    if (bucketKey != null
        && !bucketKey.equalsIgnoreCase("true")
        && !bucketKey.equalsIgnoreCase("false")) {
      throw wrong(BUCKET_KEY, "The value is neither true nor false");
    }
    if (keyId != null && (keyId.isBlank() || keyId.length() > LONGEST_KEY_ID)) {
      throw wrong(KEY_ID, "Invalid key id");
    }
    Encryption.Builder asked = Encryption.newBuilder();
    if (mode != null) {
      asked.setMode(kms ? EncryptionMode.SSE_KMS : EncryptionMode.SSE_S3);
    }
    if (keyId != null) {
      asked.setKeyId(keyId);
    }
    if (context != null) {
      asked.setContext(context(context));
    }
    return asked.setBucketKey(kms && "true".equalsIgnoreCase(bucketKey)).build();
  }

  private static ByteString context(String text) throws S3Exception {
    byte[] json = text.length() > LONGEST_CONTEXT ? null : base64(text);
    if (json != null) {
      try {
        JsonNode pairs = JSON.readTree(json);
        boolean right = pairs != null && pairs.isObject();
        if (right) {
          for (Map.Entry<String, JsonNode> pair : pairs.properties()) {
            right &= pair.getValue().isTextual();
          }
        }
        if (right) {
          return ByteString.copyFrom(json);
        }
      } catch (IOException e) {
        throw wrong(CONTEXT, "The encryption context is not a JSON object of texts");
      }
    }
    throw wrong(CONTEXT, "The encryption context is not a JSON object of texts, in base64");
  }

  /** A read decrypts whatever the object is; it cannot ask for a mode. */
  static void refuseOfRead(HttpHeaders headers) throws S3Exception {
    for (String name : new String[] {MODE, KEY_ID, CONTEXT, BUCKET_KEY}) {
      if (headers.contains(name)) {
        throw wrong(name, name + " header is not supported for this operation.");
      }
    }
  }

  private static S3Exception wrong(String header, String message) {
    return new S3Exception(S3Error.INVALID_ARGUMENT, message).with("ArgumentName", header);
  }

  private static byte[] base64(String text) {
    try {
      return Base64.getDecoder().decode(text.strip());
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  private static byte[] md5(byte[] bytes) {
    try {
      return MessageDigest.getInstance("MD5").digest(bytes);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e); // every JRE has it
    }
  }
}
