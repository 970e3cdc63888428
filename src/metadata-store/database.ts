import type { Kysely, Transaction } from "kysely";
import type { AccessTables } from "./access/tables.ts";
import type { AssetTables } from "./asset/tables.ts";
import type { AuditTables } from "./audit/tables.ts";
import type { DataTables } from "./data/tables.ts";
import type { DeliveryTables } from "./delivery/tables.ts";
import type { PipelineTables } from "./engine/tables.ts";
import type { EventTables } from "./event/tables.ts";
import type { FeatureTables } from "./features/tables.ts";
import type { GovernanceTables } from "./governance/tables.ts";
import type { RegistryTables } from "./registry/tables.ts";
import type { MonitoringTables } from "./monitoring/tables.ts";
import type { ServingTables } from "./serving/tables.ts";
import type { TaskTables } from "./tasks/tables.ts";
import type { TrackingTables } from "./tracking/tables.ts";

/** Every table of the metadata store. An area adds its tables here. */
export interface Database
  extends
    EventTables,
    AuditTables,
    AssetTables,
    PipelineTables,
    DataTables,
    AccessTables,
    GovernanceTables,
    DeliveryTables,
    ServingTables,
    MonitoringTables,
    RegistryTables,
    TrackingTables,
    FeatureTables,
    TaskTables {}

/** Reads committed state. Statements of one read are not one snapshot. */
export type ReadTransaction = Kysely<Database>;

/**
 * One atomic change. What is written through it becomes visible, and durable, together.
 * Work done with it awaits nothing but the store: the SQLite driver has one writer.
 */
export type WriteTransaction = Transaction<Database>;
