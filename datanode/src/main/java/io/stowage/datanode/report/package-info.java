/** What a datanode tells every SCM, and the orders that it obeys. */
package io.stowage.datanode.report;
