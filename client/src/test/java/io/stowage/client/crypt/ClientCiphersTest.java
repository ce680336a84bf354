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

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.BucketEncryption;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.Encryption;
import io.stowage.common.proto.EncryptionMode;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.time.StoreClock;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.Test;

class ClientCiphersTest {
  private static final byte[] DIGEST = "sixteen bytes...".getBytes(StandardCharsets.US_ASCII);

  private final MemoryKeys keys = new MemoryKeys("stowage-s3", "stowage-kms", "named");

  private static ClientCiphers ciphers(KeyService keys) throws StoreException {
    return new ClientCiphers(StowageConfig.of(Map.of()), keys, StoreClock.system());
  }

  private static BucketInfo bucket(String rule) {
    String document =
        "<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            + "<Rule>"
            + rule
            + "</Rule></ServerSideEncryptionConfiguration>";
    return BucketInfo.newBuilder()
        .setId(7)
        .setName("bucket")
        .putSettings(BucketEncryption.SETTING, ByteString.copyFromUtf8(document))
        .build();
  }

  private static String by(String algorithm, String more) {
    return "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>"
        + algorithm
        + "</SSEAlgorithm>"
        + more
        + "</ApplyServerSideEncryptionByDefault>";
  }

  private static ObjectVersion version(Encryption envelope) {
    return ObjectVersion.newBuilder()
        .setKey("k")
        .setMetadata(ObjectMetadata.newBuilder().setEncryption(envelope))
        .build();
  }

  @Test
  void goesByTheBucketsDefault() throws StoreException {
    ClientCiphers writer = ciphers(keys);
    assertNull(writer.forWrite(BucketInfo.newBuilder().setName("plain").build()));
    assertNull(writer.forRead(7, ObjectVersion.getDefaultInstance()));
    for (String rule :
        new String[] {
          by("AES256", ""),
          by("aws:kms", ""),
          by("aws:kms", "<KMSMasterKeyID>alias/named</KMSMasterKeyID>")
              + "<BucketKeyEnabled>true</BucketKeyEnabled>"
        }) {
      ObjectCipher cipher = writer.forWrite(bucket(rule));
      Encryption envelope = cipher.envelope();
      boolean kms = rule.contains("kms");
      assertEquals(kms ? EncryptionMode.SSE_KMS : EncryptionMode.SSE_S3, envelope.getMode());
      String name = !kms ? "stowage-s3" : rule.contains("named") ? "named" : "stowage-kms";
      assertEquals(name, envelope.getKeyName());
      assertEquals(rule.contains("BucketKey"), envelope.getBucketKey());
      ObjectCipher opened = ciphers(keys).forRead(7, version(envelope));
      assertEquals(cipher.etag(DIGEST), opened.etag(DIGEST));
    }
  }

  @Test
  void doesNotWriteOrReadWhatItHasNoKeyOf() throws StoreException {
    ClientCiphers none = ciphers(KeyService.none());
    Encryption envelope = ciphers(keys).forWrite(bucket(by("AES256", ""))).envelope();
    Encryption ofCustomer = envelope.toBuilder().setMode(EncryptionMode.SSE_C).build();
    StoreException refused =
        assertThrows(StoreException.class, () -> none.forWrite(bucket(by("AES256", ""))));
    assertEquals(ErrorCode.ACCESS_DENIED, refused.code());
    assertTrue(refused.getMessage().contains("bucket"), refused.getMessage());
    assertEquals(
        ErrorCode.ACCESS_DENIED,
        assertThrows(StoreException.class, () -> none.forRead(7, version(envelope))).code());
    assertEquals(
        ErrorCode.ACCESS_DENIED,
        assertThrows(StoreException.class, () -> ciphers(keys).forRead(7, version(ofCustomer)))
            .code());
    assertEquals(
        ErrorCode.ACCESS_DENIED,
        assertThrows(
                StoreException.class,
                () ->
                    ciphers(keys)
                        .forWrite(
                            bucket(by("aws:kms", "<KMSMasterKeyID>stowage-s3</KMSMasterKeyID>"))))
            .code());
  }
}
