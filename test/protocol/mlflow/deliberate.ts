/** Where esteira is right to differ from MLflow 3.11. `path` and `body` as in `http.tsv`; the rest is what esteira answers. */
export interface Deliberate {
  readonly method: string;
  readonly path: RegExp;
  readonly body?: RegExp;
  /** Only where MLflow answered with this status: the same request can come again. */
  readonly recorded?: number;
  readonly status: number;
  readonly response?: RegExp;
  readonly because: string;
}

const api = "/api/2\\.0/mlflow";
const path = (text: string): RegExp => new RegExp(`^${api}/${text}$`);

export const deliberate: readonly Deliberate[] = [
  { method: "POST", path: path("experiments/search"), body: /^\{\}$/, status: 200, because: "no max_results means 1000" },
  { method: "POST", path: path("experiments/create"), body: /^\{"name":"e2?"\}$/, status: 400, response: /^\{"error_code":"RESOURCE_ALREADY_EXISTS","message":"Experiment\(name=e2?\) already exists\."\}$/, because: "no SQL in messages" },
  { method: "POST", path: path("experiments/update"), body: /"new_name":"Default"/, status: 400, response: /"error_code":"BAD_REQUEST"/, because: "no SQL in messages" },
  { method: "POST", path: path("experiments/update"), body: /"new_name":"q"/, status: 400, response: /Cannot rename a non-active experiment/, because: "a user's mistake is no 500" },
  { method: "POST", path: path("runs/create"), body: /^\{\}$/, status: 400, response: /Missing value for required parameter 'experiment_id'/, because: "no SQL in messages" },
  { method: "POST", path: path("runs/update"), body: /"status":"BOGUS"/, status: 400, response: /RUNNING, SCHEDULED, FINISHED, FAILED, KILLED/, because: "an unknown status is refused" },
  { method: "POST", path: path("runs/log-metric"), body: /"step":1\.5/, status: 400, response: /'step'/, because: "a fractional step is refused" },
  { method: "POST", path: path("runs/log-metric"), body: /"timestamp":1\.5/, status: 400, response: /'timestamp'/, because: "a fractional timestamp is refused" },
  { method: "GET", path: path("metrics/get-history\\?run_id=<run>&metric_key=m"), status: 200, response: /^\{"metrics":\[.*"NaN".*\]\}$/, because: "without max_results all points come" },
  { method: "GET", path: path("metrics/get-history\\?run_id=<run>&metric_key=(inf|tie)"), status: 200, response: /^\{"metrics":\[/, because: "without max_results all points come" },
  { method: "GET", path: path("metrics/get-history\\?.*max_results=(0|-1)"), status: 400, response: /must be a positive integer/, because: "as newer MLflow" },
  { method: "GET", path: /^\/ajax-api\/2\.0\/mlflow\/metrics\/get-history-bulk\?/, status: 200, response: /"value":"NaN"|"NaN"/, because: "NaN is a string everywhere" },
  { method: "POST", path: path("runs/log-batch"), body: /invalid JSON/, status: 400, response: /not valid JSON/, because: "a user's mistake is no 500" },
  { method: "POST", path: path("runs/log-batch"), body: /"value":"abc"/, status: 400, response: /'metrics\[1\]\.value'/, because: "a badly typed element loses no data in silence" },
  { method: "POST", path: path("runs/log-batch"), body: /"key":"q2","value":5/, status: 400, response: /'params\[0\]\.value'/, because: "a badly typed element loses no data in silence" },
  { method: "POST", path: path("runs/search"), body: /"experiment_ids":\["abc"\]/, status: 400, response: /'abc'/, because: "a user's mistake is no 500" },
  { method: "POST", path: path("runs/search"), body: /"metrics\.m","metrics\.m DESC"/, status: 400, response: /duplicate fields/, because: "a user's mistake is no 500" },
  { method: "POST", path: path("runs/search"), body: /"experiment_ids":\["1"\],"filter":"metrics\.m = 0"/, status: 200, response: /^\{\}$/, because: "NaN is not 0" },
  { method: "POST", path: path("runs/search"), body: /"experiment_ids":\["3"\],"filter":"metrics\.m = 0"/, status: 200, response: /^run names in order: $/, because: "NaN is not 0" },
  { method: "POST", path: path("runs/search"), body: /"experiment_ids":\["3"\],"filter":"metrics\.m > -5"/, status: 200, response: /^run names in order: c a$/, because: "NaN is not greater than anything" },
  { method: "POST", path: path("runs/search"), body: /metrics\.m == 1/, status: 400, response: /Invalid comparator '==' not one of/, because: "the two tables differ in a closing quote" },
  { method: "POST", path: path("runs/log-metric"), body: /"model_id":"m-zz"/, status: 404, response: /RESOURCE_DOES_NOT_EXIST/, because: "no SQL in messages" },
  { method: "GET", path: /^\/api\/2\.0\/mlflow-artifacts\/artifacts\/1\/<run>\/artifacts\/a$/, status: 404, because: "a folder is no file, and no 500" },
  { method: "GET", path: /artifacts\/a\/b\.txt$/, body: /^header Range/, status: 206, response: /^he$/, because: "ranges are served" },
  { method: "GET", path: /^\/api\/2\.0\/mlflow-artifacts\/artifacts\/1\/<run>\/artifacts\/zzz$/, status: 404, response: /RESOURCE_DOES_NOT_EXIST/, because: "no paths of the server in messages" },
  { method: "GET", path: /^\/api\/2\.0\/mlflow-artifacts\/artifacts\?path=1\/<run>\/artifacts$/, status: 200, response: /"path":"empty\.txt","is_dir":false/, because: "the size may be said, also when it is 0" },
  { method: "GET", path: path("artifacts/list\\?run_id=<run>"), status: 200, response: /"root_uri"/, because: "the size may be said, also when it is 0" },
  { method: "GET", path: /^\/get-artifact\?run_uuid=<run>&path=nope\.txt$/, status: 404, response: /RESOURCE_DOES_NOT_EXIST/, because: "a path may be named relative to the run" },
  { method: "POST", path: /^\/api\/2\.0\/mlflow-artifacts\/mpu\/create\//, status: 200, response: /"upload_id"/, because: "multipart uploads are taken" },
  { method: "GET", path: /^\/api\/2\.0\/mlflow-artifacts\/presigned\//, status: 200, because: "downloads can be addressed directly" },
  { method: "POST", path: path("model-versions/create"), body: /"source":"models:\/(zz\/1|<model-id>)"/, status: 400, because: "a user's mistake is no 500" },
  { method: "POST", path: path("model-versions/transition-stage"), body: /"stage":"Archived","archive_existing_versions":true/, status: 400, because: "a user's mistake is no 500" },
  { method: "GET", path: path("registered-models/search\\?max_results=0"), status: 200, response: /"registered_models"/, because: "0 means the default" },
  { method: "GET", path: path("(model-versions|registered-models)/search\\?filter=tags\\.\\w IS NULL"), status: 400, because: "a user's mistake is no 500" },
  { method: "POST", path: path("registered-models/rename"), body: /"new_name":"m3"/, status: 400, response: /RESOURCE_ALREADY_EXISTS.*Registered Model \(name=m3\) already exists/, because: "no SQL in messages" },
  { method: "GET", path: path("registered-models/alias\\?name=m2&alias=champ"), recorded: 404, status: 400, response: /Registered model alias champ not found/, because: "the alias goes with its version" },
  { method: "PATCH", path: path("logged-models/<model>"), body: /"status":"BOGUS"/, status: 400, because: "an unknown status is refused" },
  { method: "POST", path: path("logged-models/<model>/params"), body: /"value":"2"/, status: 400, response: /INVALID_PARAMETER_VALUE/, because: "no SQL in messages" },
  { method: "POST", path: path("logged-models/search"), body: /"page_token":"xx"/, status: 400, because: "a user's mistake is no 500" },
  { method: "PATCH", path: path("webhooks/<webhook>"), body: /"name":"w2"/, status: 200, response: /"status":"DISABLED"/, because: "what is not given stays" },
  { method: "GET", path: /^\/api\/3\.0\/mlflow\/traces\/tr-zz$/, status: 501, response: /NOT_IMPLEMENTED.*Traces are not stored/, because: "a trace that cannot be there is told with the reason" },
  { method: "POST", path: /^\/api\/3\.0\/mlflow\/traces\/search$/, status: 501, response: /NOT_IMPLEMENTED.*Traces are not stored/, because: "what is not stored is not searched in silence" },
  { method: "GET", path: /^\/version$/, status: 200, response: /^3\.3\.0$/, because: "from 3.4 on clients would send spans" },
  { method: "POST", path: /^\/v1\/traces$/, status: 501, response: /REST OTLP span logging is not supported/, because: "spans are not taken" },
];
