from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QueryRequest(_message.Message):
    __slots__ = ("dataset", "rows", "complexity", "latency_ms")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COMPLEXITY_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    rows: int
    complexity: int
    latency_ms: float
    def __init__(self, dataset: _Optional[str] = ..., rows: _Optional[int] = ..., complexity: _Optional[int] = ..., latency_ms: _Optional[float] = ...) -> None: ...

class QueryReply(_message.Message):
    __slots__ = ("report_id", "dataset", "rows", "complexity", "cost", "latency_ms", "replica")
    REPORT_ID_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COMPLEXITY_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    report_id: str
    dataset: str
    rows: int
    complexity: int
    cost: float
    latency_ms: float
    replica: str
    def __init__(self, report_id: _Optional[str] = ..., dataset: _Optional[str] = ..., rows: _Optional[int] = ..., complexity: _Optional[int] = ..., cost: _Optional[float] = ..., latency_ms: _Optional[float] = ..., replica: _Optional[str] = ...) -> None: ...

class GetReportRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class Total(_message.Message):
    __slots__ = ("region", "amount", "orders")
    REGION_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    region: str
    amount: float
    orders: int
    def __init__(self, region: _Optional[str] = ..., amount: _Optional[float] = ..., orders: _Optional[int] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("id", "dataset", "rows", "complexity", "cost", "totals")
    ID_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COMPLEXITY_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    id: str
    dataset: str
    rows: int
    complexity: int
    cost: float
    totals: _containers.RepeatedCompositeFieldContainer[Total]
    def __init__(self, id: _Optional[str] = ..., dataset: _Optional[str] = ..., rows: _Optional[int] = ..., complexity: _Optional[int] = ..., cost: _Optional[float] = ..., totals: _Optional[_Iterable[_Union[Total, _Mapping]]] = ...) -> None: ...

class ExportRequest(_message.Message):
    __slots__ = ("id", "rows")
    ID_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    id: str
    rows: int
    def __init__(self, id: _Optional[str] = ..., rows: _Optional[int] = ...) -> None: ...

class ExportBatch(_message.Message):
    __slots__ = ("first_row", "csv", "rows")
    FIRST_ROW_FIELD_NUMBER: _ClassVar[int]
    CSV_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    first_row: int
    csv: str
    rows: int
    def __init__(self, first_row: _Optional[int] = ..., csv: _Optional[str] = ..., rows: _Optional[int] = ...) -> None: ...
