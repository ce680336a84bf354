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

import io.stowage.client.DataPath;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.time.StoreClock;
import io.stowage.s3.access.AclDocuments;
import io.stowage.s3.access.Authorizer;
import io.stowage.s3.event.EventDelivery;
import io.stowage.s3.payload.HashThreads;

/**
 * What operations work with. Immutable.
 *
 * @param region that buckets are in
 * @param hashThreads for the slow hashes of large bodies
 * @param events to whom changes are told
 * @param hostId names this gateway in answers
 */
public record Backend(
    ObjectManager namespace,
    DataPath data,
    StoreClock clock,
    Authorizer authorizer,
    AclDocuments.Users users,
    ObjectEncryption encryption,
    String region,
    HashThreads hashThreads,
    EventDelivery events,
    String hostId) {}
