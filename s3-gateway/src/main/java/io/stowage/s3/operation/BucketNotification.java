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

import io.stowage.common.error.StoreException;
import io.stowage.common.event.EventRules;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.UpdateBucketRequest;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.Response;
import io.stowage.s3.setting.BucketSettings;
import io.stowage.s3.setting.NotificationRules;
import io.stowage.s3.xml.XmlElement;
import java.util.SortedMap;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * PutBucketNotificationConfiguration: every target must be declared here and take S3's test
 * message, unless the request waives that. Kept as the document and, in the same mutation, as the
 * rules that gateways and object managers go by.
 */
record BucketNotification(Backend backend) implements Operation {
  private static final int LARGEST = 256 << 10;

  @Override
  public String action() {
    return BucketSettings.NOTIFICATION.putAction();
  }

  @Override
  public Response handle(S3Call call) throws S3Exception, StoreException {
    XmlElement document = call.document(BucketSettings.NOTIFICATION.shape().name(), LARGEST);
    if (document == null) {
      throw new S3Exception(S3Error.MALFORMED_XML);
    }
    NotificationRules rules = NotificationRules.of(document, backend.events().targets());
    if (!"true".equalsIgnoreCase(call.header("x-amz-skip-destination-validation"))) {
      test(call, rules);
    }
    String name = BucketSettings.NOTIFICATION.name();
    UpdateBucketRequest.Builder request =
        UpdateBucketRequest.newBuilder().setName(call.bucketName()).setWriteId(WriteId.random());
    if (!rules.rules().isEmpty()) {
      request
          .putPut(name, ByteString.copyFromUtf8(rules.document()))
          .putPut(EventRules.SETTING, rules.ruleSet().toByteString());
    } else if (call.bucket().containsSettings(name)) {
      request.addRemove(name).addRemove(EventRules.SETTING);
    } else {
      return Response.empty(200);
    }
    backend.namespace().updateBucket(request.build());
    return Response.empty(200);
  }

  private void test(S3Call call, NotificationRules rules) throws S3Exception, StoreException {
    SortedMap<String, String> failures;
    try {
      failures =
          backend
              .events()
              .test(
                  rules.arns(),
                  call.bucketName(),
                  call.caller().origin().requestId(),
                  backend.hostId());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new S3Exception(S3Error.SERVICE_UNAVAILABLE);
    }
    if (!failures.isEmpty()) {
      String first = failures.firstKey();
      throw NotificationRules.unreachable(
          first, "It did not take a test message: " + failures.get(first));
    }
  }
}
