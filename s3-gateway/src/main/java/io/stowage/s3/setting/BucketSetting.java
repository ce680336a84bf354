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
package io.stowage.s3.setting;

import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.xml.XmlElement;
import io.stowage.s3.xml.XmlOut;
import io.stowage.s3.xml.XmlShape;

/**
 * A kind of configuration of a bucket that is one XML document. Immutable.
 *
 * @param name of the query parameter, and under which the bucket's row keeps it
 * @param getAction who may read it, as IAM names it
 * @param putAction who may change or remove it
 * @param shape what the document may hold
 * @param rule what else it must fulfil
 * @param absent answered where it is not set; null if {@code initial} is
 * @param initial document where it is not set; null if that is an error
 * @param removable whether S3 has a DELETE for it
 */
public record BucketSetting(
    String name,
    String getAction,
    String putAction,
    XmlShape shape,
    Rule rule,
    S3Error absent,
    String initial,
    boolean removable) {

  /** A condition on a document that its shape does not say. */
  @FunctionalInterface
  public interface Rule {
    void check(XmlElement document) throws S3Exception;
  }

  /** A setting whose absence is an error, and that can be removed. */
  static BucketSetting removable(
      String name, String getAction, String putAction, XmlShape shape, Rule rule, S3Error absent) {
    return new BucketSetting(name, getAction, putAction, shape, rule, absent, null, true);
  }

  /** A setting that every bucket has, if only its default. */
  static BucketSetting always(
      String name, String getAction, String putAction, XmlShape shape, Rule rule, XmlOut initial) {
    return new BucketSetting(
        name, getAction, putAction, shape, rule, null, initial.finish(), false);
  }

  /** The document as it is kept, once it was found right. */
  public String accept(XmlElement document) throws S3Exception {
    shape.check(document);
    rule.check(document);
    return XmlOut.copyOf(shape.whole(document));
  }
}
