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
package io.stowage.s3.iam;

/** An error as IAM and STS answer it. Ordinary control flow: no stack trace. Immutable. */
final class IamException extends Exception {
  private static final long serialVersionUID = 1L;

  private final int status;
  private final String code;

  IamException(int status, String code, String message) {
    super(message, null, false, false);
    this.status = status;
    this.code = code;
  }

  static IamException noSuchEntity(String kind, String name) {
    return new IamException(
        404, "NoSuchEntity", "The " + kind + " with name " + name + " cannot be found.");
  }

  static IamException exists(String kind, String name) {
    return new IamException(
        409, "EntityAlreadyExists", kind + " with name " + name + " already exists.");
  }

  static IamException conflict(String message) {
    return new IamException(409, "DeleteConflict", message);
  }

  static IamException limit(String message) {
    return new IamException(409, "LimitExceeded", message);
  }

  static IamException validation(String message) {
    return new IamException(400, "ValidationError", message);
  }

  static IamException malformedPolicy(String message) {
    return new IamException(400, "MalformedPolicyDocument", message);
  }

  int status() {
    return status;
  }

  String code() {
    return code;
  }
}
